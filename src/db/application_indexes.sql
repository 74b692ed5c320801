-- Indexes and foreign keys of the clinic application, apart from its tables so that a bulk load can come between.
-- "EncryptionKey" has no unique constraint but its primary key: nothing there makes versions unique.
CREATE INDEX "EncryptionKey_organizationId_isActive_idx" ON "EncryptionKey"("organizationId", "isActive");
CREATE UNIQUE INDEX "User_email_key" ON "User"("email");
CREATE INDEX "User_orgId_idx" ON "User"("orgId");
CREATE INDEX "Client_orgId_idx" ON "Client"("orgId");
CREATE INDEX "Client_orgId_status_idx" ON "Client"("orgId", "status");
CREATE INDEX "Client_assignedTo_idx" ON "Client"("assignedTo");
CREATE INDEX "ClientInsurance_clientId_idx" ON "ClientInsurance"("clientId");
CREATE INDEX "FormSubmission_orgId_status_idx" ON "FormSubmission"("orgId", "status");
CREATE INDEX "FormSubmission_clientId_idx" ON "FormSubmission"("clientId");
CREATE INDEX "Call_clientId_startedAt_idx" ON "Call"("clientId", "startedAt");
CREATE INDEX "Call_userId_idx" ON "Call"("userId");
CREATE INDEX "Call_status_idx" ON "Call"("status");
CREATE INDEX "Note_orgId_idx" ON "Note"("orgId");
CREATE INDEX "Note_clientId_idx" ON "Note"("clientId");
CREATE INDEX "Note_authorId_idx" ON "Note"("authorId");
CREATE INDEX "Note_callId_idx" ON "Note"("callId");
CREATE INDEX "Note_status_idx" ON "Note"("status");
CREATE INDEX "Note_orgId_createdAt_idx" ON "Note"("orgId", "createdAt");
CREATE INDEX "Message_orgId_createdAt_idx" ON "Message"("orgId", "createdAt");
CREATE INDEX "Message_clientId_createdAt_idx" ON "Message"("clientId", "createdAt");
CREATE INDEX "AuditLog_orgId_createdAt_idx" ON "AuditLog"("orgId", "createdAt");
CREATE INDEX "JobProgress_status_idx" ON "JobProgress"("status");

ALTER TABLE "User" ADD CONSTRAINT "User_orgId_fkey" FOREIGN KEY ("orgId") REFERENCES "Organization"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
ALTER TABLE "Client" ADD CONSTRAINT "Client_orgId_fkey" FOREIGN KEY ("orgId") REFERENCES "Organization"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
ALTER TABLE "Client" ADD CONSTRAINT "Client_assignedTo_fkey" FOREIGN KEY ("assignedTo") REFERENCES "User"("id") ON DELETE SET NULL ON UPDATE CASCADE;
ALTER TABLE "ClientInsurance" ADD CONSTRAINT "ClientInsurance_clientId_fkey" FOREIGN KEY ("clientId") REFERENCES "Client"("id") ON DELETE CASCADE ON UPDATE CASCADE;
ALTER TABLE "FormSubmission" ADD CONSTRAINT "FormSubmission_orgId_fkey" FOREIGN KEY ("orgId") REFERENCES "Organization"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
ALTER TABLE "FormSubmission" ADD CONSTRAINT "FormSubmission_clientId_fkey" FOREIGN KEY ("clientId") REFERENCES "Client"("id") ON DELETE SET NULL ON UPDATE CASCADE;
ALTER TABLE "Call" ADD CONSTRAINT "Call_clientId_fkey" FOREIGN KEY ("clientId") REFERENCES "Client"("id") ON DELETE SET NULL ON UPDATE CASCADE;
ALTER TABLE "Call" ADD CONSTRAINT "Call_userId_fkey" FOREIGN KEY ("userId") REFERENCES "User"("id") ON DELETE SET NULL ON UPDATE CASCADE;
ALTER TABLE "Note" ADD CONSTRAINT "Note_orgId_fkey" FOREIGN KEY ("orgId") REFERENCES "Organization"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
ALTER TABLE "Note" ADD CONSTRAINT "Note_clientId_fkey" FOREIGN KEY ("clientId") REFERENCES "Client"("id") ON DELETE SET NULL ON UPDATE CASCADE;
ALTER TABLE "Note" ADD CONSTRAINT "Note_authorId_fkey" FOREIGN KEY ("authorId") REFERENCES "User"("id") ON DELETE SET NULL ON UPDATE CASCADE;
ALTER TABLE "Note" ADD CONSTRAINT "Note_callId_fkey" FOREIGN KEY ("callId") REFERENCES "Call"("id") ON DELETE SET NULL ON UPDATE CASCADE;
ALTER TABLE "Message" ADD CONSTRAINT "Message_orgId_fkey" FOREIGN KEY ("orgId") REFERENCES "Organization"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
ALTER TABLE "Message" ADD CONSTRAINT "Message_clientId_fkey" FOREIGN KEY ("clientId") REFERENCES "Client"("id") ON DELETE SET NULL ON UPDATE CASCADE;
